// Step: the closed list of things that the controller can do to the outside. Each is exactly one change.

export type Step =
  | { readonly kind: 'createApp' }
  | {
      readonly kind: 'createVolume'
      readonly name: string
      readonly incarnation: number
      readonly sizeGb: number
      readonly region: string
    }
  | { readonly kind: 'extendVolume'; readonly id: string; readonly sizeGb: number }
  | {
      readonly kind: 'createMachine'
      readonly name: string
      readonly incarnation: number
      readonly volume: string
      readonly region: string
    }
  | {
      readonly kind: 'updateMachine'
      readonly id: string
      readonly version: string
      readonly incarnation: number
      readonly volume: string
    }
  | { readonly kind: 'startMachine'; readonly id: string }
  | { readonly kind: 'suspendMachine'; readonly id: string }
  | { readonly kind: 'stopMachine'; readonly id: string }
  | { readonly kind: 'destroyMachine'; readonly id: string }
  | { readonly kind: 'prepareMachine'; readonly id: string; readonly boot: string }
  | { readonly kind: 'requestCertificate'; readonly host: string }
  | { readonly kind: 'deleteCertificate'; readonly host: string }

export type StepKind = Step['kind']

/** Each step as a person reads it: "creating the volume". */
export const stepWords: Readonly<Record<StepKind, string>> = {
  createApp: 'creating the Fly app',
  createVolume: 'creating the volume',
  extendVolume: 'extending the volume',
  createMachine: 'creating the machine',
  updateMachine: 'updating the machine',
  startMachine: 'starting the machine',
  suspendMachine: 'suspending the machine',
  stopMachine: 'stopping the machine',
  destroyMachine: 'destroying the machine',
  prepareMachine: 'installing the browser packages',
  requestCertificate: 'requesting the certificate',
  deleteCertificate: 'deleting the certificate',
}
