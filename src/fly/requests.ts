// What we send to Fly, in Fly's own words: the bodies that more than one caller writes.

/** Every call takes these. */
export interface CallOptions {
  /** Who is served first when calls wait for Fly's rate limit: the higher number. 0 unless set. */
  readonly priority?: number | undefined
  /** Gives up the call, waiting or under way. An aborted call may still have had its effect. */
  readonly signal?: AbortSignal | undefined
}

/** Calls that a lease guards. */
export interface LeasedOptions extends CallOptions {
  /** Of the lease that the caller holds on the machine. */
  readonly nonce?: string | undefined
}

interface MachineRequest {
  /** The whole configuration: Fly does not merge. */
  readonly config: object
  /** Leaves the machine unbooted (create), or stopped if it is stopped (update). */
  readonly skip_launch?: boolean | undefined
  readonly skip_service_registration?: boolean | undefined
  /** Seconds; the answer then carries the lease's nonce. */
  readonly lease_ttl?: number | undefined
}

export interface MachineCreateRequest extends MachineRequest {
  readonly name: string
  readonly region: string
}

export interface MachineUpdateRequest extends MachineRequest {
  /** The instance id that this update replaces; Fly refuses with 409 when the machine has moved on. */
  readonly current_version: string
}

export interface MachineFilter {
  /** Exact matches, all of which must hold. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Of created, started, stopped, suspended: the states that Fly can filter by. */
  readonly state?: readonly string[] | undefined
  readonly includeDeleted?: boolean | undefined
}

export interface StopRequest {
  /** SIGINT unless set. */
  readonly signal?: string | undefined
  /** A Go duration such as `10s`. */
  readonly timeout?: string | undefined
}

export interface WaitRequest {
  readonly state: 'started' | 'stopped' | 'suspended' | 'destroyed' | 'failed' | 'settled'
  /** 1 to 60, 60 unless set: Fly refuses other values. */
  readonly timeoutSeconds?: number | undefined
  /** An instance id. */
  readonly version?: string | undefined
}

export interface ExecRequest {
  readonly command: readonly string[]
  readonly stdin?: string | undefined
  /** Seconds. Fly's own limit is about 30 s whatever is asked for: run long work detached. */
  readonly timeout?: number | undefined
}

export interface LeaseRequest {
  /** Seconds. */
  readonly ttl: number
  readonly description?: string | undefined
  /** Of the lease to be extended. */
  readonly nonce?: string | undefined
}

export interface VolumeCreateRequest {
  readonly name: string
  readonly region: string
  readonly size_gb: number
  /** Fly's default is true: other hardware than the app's volumes of the same name, which can run out. */
  readonly require_unique_zone?: boolean | undefined
  readonly unique_zone_app_wide?: boolean | undefined
  readonly encrypted?: boolean | undefined
  readonly fstype?: 'ext4' | 'raw' | undefined
  readonly snapshot_id?: string | undefined
  readonly source_volume_id?: string | undefined
  /** Days, 1 to 60. */
  readonly snapshot_retention?: number | undefined
  readonly auto_backup_enabled?: boolean | undefined
  /** The machine that will mount the volume, so that Fly picks a host with room for it. */
  readonly compute?: object | undefined
  readonly compute_image?: string | undefined
}

export interface VolumeUpdateRequest {
  readonly snapshot_retention?: number | undefined
  readonly auto_backup_enabled?: boolean | undefined
}

export interface AppCreateRequest {
  readonly name: string
  readonly org_slug: string
  /** A private network of its own; cannot be changed later. */
  readonly network?: string | undefined
}

export interface PlacementRequest {
  readonly org_slug: string
  /** A comma list of regions and aliases such as `iad,any`. */
  readonly region?: string | undefined
  readonly compute?: object | undefined
  /** 0 asks for the organization's limit in each region. */
  readonly count?: number | undefined
  readonly volume_size_bytes?: number | undefined
}
