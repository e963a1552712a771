// The table of calls: method, path, the action's name, and who handles it. Paths are below /v1.
import { assignIp, createDeployToken, deleteSecret, getSecret, listIps, listSecrets } from './app-settings.ts'
import { releaseIp, setSecret, setSecrets } from './app-settings.ts'
import { createApp, deleteApp, getApp, listApps } from './apps.ts'
import type { Handler } from './call.ts'
import { addCustom, checkCertificate, deleteAcme, deleteCertificate, deleteCustom } from './certificates.ts'
import { getCertificate, listCertificates, requestAcme } from './certificates.ts'
import { execInMachine, listProcesses } from './exec.ts'
import { acquireLease, releaseLease, showLease } from './leases.ts'
import { listEvents, listVersions } from './machine-history.ts'
import { cordonMachine, restartMachine, signalMachine, startMachine, stopMachine } from './machine-power.ts'
import { suspendMachine, uncordonMachine } from './machine-power.ts'
import { createMachine, deleteMachine, getMachine, listMachines, updateMachine } from './machines.ts'
import { deleteKey, setKey, showKey, showMetadata, updateMetadata } from './metadata.ts'
import { listOrgMachines, listOrgVolumes } from './orgs.ts'
import { currentTokens, findPlacements, listRegions } from './platform.ts'
import { createSnapshot, listSnapshots } from './snapshots.ts'
import { createVolume, deleteVolume, extendVolume, getVolume, listVolumes, updateVolume } from './volumes.ts'
import { waitForState } from './wait.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Trait = 'leased' | 'slow' | 'reads'

/** One row of the table. */
export interface Route {
  readonly method: Method
  readonly path: readonly string[]
  readonly action: string
  readonly handler: Handler
  /** Is the call refused to others while somebody holds the machine's lease? */
  readonly leased: boolean
  /** Does the handler wait by itself? */
  readonly slow: boolean
  /** Does it only look? */
  readonly reads: boolean
}

function route(method: Method, path: string, action: string, handler: Handler, ...traits: readonly Trait[]): Route {
  return {
    method,
    path: path.split('/'),
    action,
    handler,
    leased: traits.includes('leased'),
    slow: traits.includes('slow'),
    reads: method === 'GET' || traits.includes('reads'),
  }
}

const machine = 'apps/:app/machines/:machine'
const volume = 'apps/:app/volumes/:volume'
const certificate = 'apps/:app/certificates/:hostname'

/** Every call that the simulator has. */
export const routes: readonly Route[] = [
  route('GET', 'apps', 'appList', listApps),
  route('POST', 'apps', 'appCreate', createApp),
  route('GET', 'apps/:app', 'appGet', getApp),
  route('DELETE', 'apps/:app', 'appDelete', deleteApp),
  route('GET', 'apps/:app/machines', 'machineList', listMachines),
  route('POST', 'apps/:app/machines', 'machineCreate', createMachine, 'slow'),
  route('GET', machine, 'machineGet', getMachine),
  route('POST', machine, 'machineUpdate', updateMachine, 'leased'),
  route('DELETE', machine, 'machineDelete', deleteMachine, 'leased'),
  route('POST', `${machine}/start`, 'machineStart', startMachine, 'leased'),
  route('POST', `${machine}/stop`, 'machineStop', stopMachine, 'leased'),
  route('POST', `${machine}/suspend`, 'machineSuspend', suspendMachine, 'leased'),
  route('POST', `${machine}/restart`, 'machineRestart', restartMachine, 'leased'),
  route('POST', `${machine}/signal`, 'machineSignal', signalMachine),
  route('GET', `${machine}/wait`, 'machineWait', waitForState, 'slow'),
  route('POST', `${machine}/exec`, 'machineExec', execInMachine, 'slow'),
  route('GET', `${machine}/ps`, 'machineProcesses', listProcesses),
  route('GET', `${machine}/events`, 'machineEvents', listEvents),
  route('GET', `${machine}/versions`, 'machineVersions', listVersions),
  route('POST', `${machine}/cordon`, 'machineCordon', cordonMachine, 'leased'),
  route('POST', `${machine}/uncordon`, 'machineUncordon', uncordonMachine, 'leased'),
  route('GET', `${machine}/lease`, 'leaseGet', showLease),
  route('POST', `${machine}/lease`, 'leaseCreate', acquireLease),
  route('DELETE', `${machine}/lease`, 'leaseDelete', releaseLease),
  route('GET', `${machine}/metadata`, 'metadataList', showMetadata),
  route('PATCH', `${machine}/metadata`, 'metadataUpdate', updateMetadata),
  route('PUT', `${machine}/metadata`, 'metadataUpdate', updateMetadata),
  route('GET', `${machine}/metadata/:key`, 'metadataGet', showKey),
  route('POST', `${machine}/metadata/:key`, 'metadataSet', setKey),
  route('DELETE', `${machine}/metadata/:key`, 'metadataDelete', deleteKey),
  route('GET', 'apps/:app/volumes', 'volumeList', listVolumes),
  route('POST', 'apps/:app/volumes', 'volumeCreate', createVolume, 'slow'),
  route('GET', volume, 'volumeGet', getVolume),
  route('PUT', volume, 'volumeUpdate', updateVolume),
  // Older clients POST their changes.
  route('POST', volume, 'volumeUpdate', updateVolume),
  route('DELETE', volume, 'volumeDelete', deleteVolume),
  route('PUT', `${volume}/extend`, 'volumeExtend', extendVolume),
  route('GET', `${volume}/snapshots`, 'snapshotList', listSnapshots),
  route('POST', `${volume}/snapshots`, 'snapshotCreate', createSnapshot),
  route('GET', 'apps/:app/certificates', 'certificateList', listCertificates),
  route('POST', 'apps/:app/certificates/acme', 'certificateCreate', requestAcme),
  route('POST', 'apps/:app/certificates/custom', 'certificateCreateCustom', addCustom),
  route('GET', certificate, 'certificateGet', getCertificate),
  route('DELETE', certificate, 'certificateDelete', deleteCertificate),
  route('POST', `${certificate}/check`, 'certificateCheck', checkCertificate),
  route('DELETE', `${certificate}/acme`, 'certificateDeleteAcme', deleteAcme),
  route('DELETE', `${certificate}/custom`, 'certificateDeleteCustom', deleteCustom),
  route('GET', 'apps/:app/ip_assignments', 'ipList', listIps),
  route('POST', 'apps/:app/ip_assignments', 'ipAssign', assignIp),
  route('DELETE', 'apps/:app/ip_assignments/:ip', 'ipRelease', releaseIp),
  route('GET', 'apps/:app/secrets', 'secretList', listSecrets),
  route('POST', 'apps/:app/secrets', 'secretUpdate', setSecrets),
  route('GET', 'apps/:app/secrets/:secret', 'secretGet', getSecret),
  route('POST', 'apps/:app/secrets/:secret', 'secretSet', setSecret),
  route('DELETE', 'apps/:app/secrets/:secret', 'secretDelete', deleteSecret),
  route('POST', 'apps/:app/deploy_token', 'deployTokenCreate', createDeployToken),
  route('GET', 'orgs/:org/machines', 'orgMachineList', listOrgMachines),
  route('GET', 'orgs/:org/volumes', 'orgVolumeList', listOrgVolumes),
  route('GET', 'platform/regions', 'regionList', listRegions),
  route('POST', 'platform/placements', 'placements', findPlacements, 'reads'),
  route('GET', 'tokens/current', 'tokenCurrent', currentTokens),
]

/** A route and what its path's placeholders stand for. */
export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** Finds the route for a path below /v1; undefined when there is none. */
export function match(method: string, segments: readonly string[]): Match | undefined {
  for (const each of routes) {
    if (each.method !== method || each.path.length !== segments.length) continue
    const params: Record<string, string> = {}
    const fits = each.path.every((part, at) => {
      const segment = segments[at] ?? ''
      if (part.startsWith(':')) params[part.slice(1)] = segment
      return part.startsWith(':') ? segment !== '' : part === segment
    })
    if (fits) return { route: each, params }
  }
  return undefined
}
