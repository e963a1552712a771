// The calls about volumes and their snapshots: one function for each endpoint.
import type { CallOptions, VolumeCreateRequest, VolumeUpdateRequest } from './requests.ts'
import { nothing, type Send } from './call.ts'
import * as wire from './wire.ts'

export interface VolumeCalls {
  /** Every volume of the app, those on their way out too: read `state`. */
  volumeList(app: string, options?: CallOptions): Promise<readonly wire.Volume[]>
  volumeGet(app: string, id: string, options?: CallOptions): Promise<wire.Volume>
  /** Names are not unique: repeating a create whose outcome is unknown makes a second volume. */
  volumeCreate(app: string, request: VolumeCreateRequest, options?: CallOptions): Promise<wire.Volume>
  volumeUpdate(app: string, id: string, request: VolumeUpdateRequest, options?: CallOptions): Promise<wire.Volume>
  /** Volumes only grow. */
  volumeExtend(app: string, id: string, sizeGb: number, options?: CallOptions): Promise<wire.VolumeExtension>
  /** A volume that is mounted, or was until a moment ago, is refused (bound). */
  volumeDelete(app: string, id: string, options?: CallOptions): Promise<void>
  /** Answers before the snapshot exists: look for it in the list. */
  snapshotCreate(app: string, volume: string, options?: CallOptions): Promise<void>
  snapshotList(app: string, volume: string, options?: CallOptions): Promise<readonly wire.Snapshot[]>
}

/** Which call it is, and whom Fly's rate limit counts it for: the volume, or the app where there is no volume. */
const at = (call: string, app: string, id?: string, ...below: readonly string[]) => ({
  call,
  identifier: id ?? app,
  path: ['apps', app, 'volumes', ...(id === undefined ? [] : [id]), ...below],
})

export function volumeCalls(send: Send): VolumeCalls {
  return {
    volumeList: (app, options) => send({ ...at('volumeList', app), method: 'GET', answer: wire.volumes }, options),
    volumeGet: (app, id, options) => send({ ...at('volumeGet', app, id), method: 'GET', answer: wire.volume }, options),
    volumeCreate: (app, body, options) =>
      send({ ...at('volumeCreate', app), method: 'POST', timeLimit: 'create', body, answer: wire.volume }, options),
    volumeUpdate: (app, id, body, options) =>
      send({ ...at('volumeUpdate', app, id), method: 'PUT', body, answer: wire.volume }, options),
    volumeExtend: (app, id, sizeGb, options) => {
      const body = { size_gb: sizeGb }
      return send(
        { ...at('volumeExtend', app, id, 'extend'), method: 'PUT', body, answer: wire.volumeExtension },
        options,
      )
    },
    volumeDelete: (app, id, options) =>
      send({ ...at('volumeDelete', app, id), method: 'DELETE', answer: nothing }, options),
    snapshotCreate: (app, id, options) =>
      send({ ...at('snapshotCreate', app, id, 'snapshots'), method: 'POST', answer: nothing }, options),
    snapshotList: (app, id, options) =>
      send({ ...at('snapshotList', app, id, 'snapshots'), method: 'GET', answer: wire.snapshots }, options),
  }
}
