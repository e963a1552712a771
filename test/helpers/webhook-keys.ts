// Secrets of webhook endpoints for tests: the same for the same endpoint and version.
import { createHash } from 'node:crypto'

export const webhookKeys = {
  webhookSecret: (endpoint: string, version: number) =>
    `whsec_${createHash('sha256').update(`${endpoint}/${version}`).digest('base64')}`,
}
