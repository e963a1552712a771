// Who sends the traces. The SDK's own resources would ask the machine for its name, its users and its processes.
import type { TracerProviderOptions } from '@opentelemetry/sdk-trace'

type Resource = NonNullable<TracerProviderOptions['resource']>

/** A resource with these attributes and nothing else. */
export function resourceOf(attributes: Readonly<Record<string, string>>): Resource {
  return {
    attributes: { ...attributes },
    merge: (other) => resourceOf({ ...attributes, ...(other?.attributes as Record<string, string> | undefined) }),
    getRawAttributes: () => Object.entries(attributes),
  }
}
