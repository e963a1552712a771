// Label and field selectors of a list, as parts of its query.
import { z } from 'zod'
import { parseFieldSelector, parseLabelSelector, type ParsedSelector } from '../../specs/selector.ts'
import { selectableFields } from '../store/selection.ts'

/** A selector as it stands in a query. */
export function selector<T>(parse: (text: string) => ParsedSelector<T>) {
  return z
    .string()
    .transform((text, context): T => {
      const parsed = parse(text)
      if (parsed.ok) return parsed.value
      const { at, message } = parsed.problem
      context.addIssue({ code: 'custom', message: `is wrong at character ${at}: ${message}` })
      return z.NEVER
    })
    .optional()
}

/** Which tenants: `plan in (pro,team),!trial`, `status.effective=running,spec.region!=iad`. */
export const selectionFields = {
  labelSelector: selector(parseLabelSelector),
  fieldSelector: selector((text) => parseFieldSelector(text, selectableFields)),
}
