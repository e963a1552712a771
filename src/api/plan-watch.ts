// Watching the plan of a tenant by server-sent events: as it is now, then each time that it is another. A plan is a state and no
// history: its id says which plan it is, so that any process knows whether who comes back has the present one.
import { createHash } from 'node:crypto'
import type { Context } from 'koa'
import { matchesLabels } from '../../specs/selector.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Feeds } from './feeds.ts'
import type { PlanView } from './insight-view.ts'
import { limitOf } from './limited.ts'
import { Problem } from './problem.ts'
import type { ApiOptions } from './server.ts'
import { answerStream, bookmark, eventText, keepAlive, Outlet, relist, type Told } from './stream.ts'

export interface PlanWatchRoutes extends Pick<ApiOptions, 'clock' | 'log'> {
  readonly feeds: Feeds
}

export interface WatchedPlan {
  readonly tenant: Tenant
  /** Looks at Fly; throws a Problem where that cannot be done. */
  readonly planOf: (tenant: Tenant) => Promise<PlanView>
}

/** Each look asks Fly: many notes of the controller in a row cost one. */
const pauseMs = 1_000
/** Until the next try after a look that failed. */
const retryMs = 5_000

/** Which plan it is; when something is due moves with every look and is no other plan. */
function idOf({ uid }: Tenant, plan: PlanView): string {
  const text = JSON.stringify(plan, (key, value: unknown) => (key === 'until' ? undefined : value))
  return `${uid}.${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`
}

function beginning(lastId: string, uid: string, id: string, data: PlanView): readonly Told[] {
  if (lastId === id) return [bookmark]
  if (lastId.startsWith(`${uid}.`)) return [{ type: 'MODIFIED', data }, bookmark]
  return [...(lastId === '' ? [] : [relist]), { type: 'ADDED', data }, bookmark]
}

class PlanStream {
  readonly outlet = new Outlet()
  readonly #routes: PlanWatchRoutes
  readonly #look: () => Promise<PlanView>
  readonly #tenant: Tenant
  #id = ''
  #failing = false
  #due: (() => void) | undefined

  constructor(routes: PlanWatchRoutes, tenant: Tenant, look: () => Promise<PlanView>) {
    this.#routes = routes
    this.#tenant = tenant
    this.#look = look
    this.outlet.stream.once('close', () => this.#due?.())
  }

  async begin(lastId: string): Promise<void> {
    const plan = await this.#look()
    this.#id = idOf(this.#tenant, plan)
    const texts = beginning(lastId, this.#tenant.uid, this.#id, plan).map((told) => eventText(told, this.#id))
    this.outlet.begin(texts.map((text) => () => text))
    keepAlive(this.outlet, this.#routes.clock, () => eventText(bookmark, this.#id))
  }

  /** Many changes in a row are one look. */
  lookIn(ms: number): void {
    if (this.#due !== undefined || this.outlet.stream.destroyed) return
    this.#due = this.#routes.clock.after(ms, () => {
      this.#due = undefined
      void this.#lookAgain()
    })
  }

  gone(): void {
    this.#tell({ type: 'DELETED', data: { name: this.#tenant.name } })
    this.outlet.end()
  }

  #tell(told: Told): void {
    const text = eventText(told, this.#id)
    this.outlet.push(() => text)
  }

  /** Never rejects. */
  async #lookAgain(): Promise<void> {
    try {
      const plan = await this.#look()
      const id = idOf(this.#tenant, plan)
      const same = id === this.#id
      const again = this.#failing
      this.#failing = false
      this.#id = id
      if (!same) this.#tell({ type: 'MODIFIED', data: plan })
      else if (again) this.#tell(bookmark)
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    const isTold = error instanceof Problem
    if (!isTold) this.#routes.log.error({ err: error }, 'the plan that is watched could not be made')
    const detail = isTold ? error.message : 'Something went wrong here.'
    if (!this.#failing) this.#tell({ type: 'ERROR', data: { code: isTold ? error.code : 'internal', detail } })
    this.#failing = true
    this.lookIn(retryMs)
  }
}

/** Answers with a stream of plans; it ends with the tenant. Throws what the first look throws. */
export async function watchPlan(routes: PlanWatchRoutes, context: Context, watched: WatchedPlan): Promise<void> {
  const { tenant, planOf } = watched
  const limit = limitOf(context)
  const feed = await routes.feeds.tenants(context)
  const stream = new PlanStream(routes, tenant, () => planOf(feed.get(tenant.uid) ?? tenant))
  const leave = feed.backlog.listen((placed) => {
    const { before, after } = placed?.change ?? {}
    if ((after ?? before)?.uid !== tenant.uid) return
    const isHis = after !== undefined && (limit === undefined || matchesLabels(limit, after.labels))
    if (isHis) stream.lookIn(pauseMs)
    else stream.gone()
  })
  stream.outlet.stream.once('close', leave)
  try {
    await stream.begin(context.get('last-event-id'))
  } catch (error) {
    stream.outlet.stream.destroy()
    throw error
  }
  answerStream(context, stream.outlet)
}
