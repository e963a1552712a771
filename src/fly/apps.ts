// The calls about apps and about Fly's regions: one function for each endpoint.
import type { AppCreateRequest, CallOptions, PlacementRequest } from './requests.ts'
import type { Send } from './call.ts'
import * as wire from './wire.ts'

export interface AppCalls {
  /** notFound: the name is free. unauthorized with status 403: another organization has it. */
  appGet(app: string, options?: CallOptions): Promise<wire.App>
  /** App names are one namespace for all of Fly. A new app may answer 404 or 401 for up to a minute. */
  appCreate(request: AppCreateRequest, options?: CallOptions): Promise<wire.AppCreated>
  regions(options?: CallOptions): Promise<readonly wire.Region[]>
  /** Where Fly has room now; a region without room is left out. */
  placements(request: PlacementRequest, options?: CallOptions): Promise<readonly wire.Placement[]>
}

export function appCalls(send: Send): AppCalls {
  return {
    appGet: (app, options) =>
      send({ call: 'appGet', identifier: app, method: 'GET', path: ['apps', app], answer: wire.app }, options),
    appCreate: (body, options) => {
      const call = { call: 'appCreate', identifier: body.org_slug, method: 'POST', path: ['apps'] } as const
      return send({ ...call, body, timeLimit: 'create', answer: wire.appCreated }, options)
    },
    regions: async (options) => {
      const call = { call: 'regions', identifier: 'platform', method: 'GET' } as const
      return (await send({ ...call, path: ['platform', 'regions'], answer: wire.regions }, options)).regions
    },
    placements: async (body, options) => {
      const call = { call: 'placements', identifier: body.org_slug, method: 'POST' } as const
      const answer = wire.placements
      return (await send({ ...call, path: ['platform', 'placements'], body, answer }, options)).regions
    },
  }
}
