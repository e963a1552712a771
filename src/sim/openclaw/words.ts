// What a machine's init and its keeper say to each other over the IPC channel (types only).
import type { ExecResult } from '../guest-host.ts'

export type ToInit =
  | {
      readonly kind: 'start'
      readonly command: readonly string[]
      readonly env: Readonly<Record<string, string>>
      /** Where connections from outside are carried to. */
      readonly address: string
      readonly port: number
      /** Ports on the machine's loopback that lead out, each to the socket of its number. */
      readonly outlets: readonly number[]
    }
  | { readonly kind: 'exec'; readonly id: number; readonly command: readonly string[]; readonly timeoutMs: number }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'freeze' | 'thaw'; readonly id: number }

export type FromInit =
  | { readonly kind: 'up' }
  | { readonly kind: 'listening' }
  | { readonly kind: 'exited'; readonly code: number; readonly signal: number; readonly oom?: boolean }
  | { readonly kind: 'ran'; readonly id: number; readonly result: ExecResult }
  | { readonly kind: 'done'; readonly id: number }
