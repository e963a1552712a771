// The Fly token: how it is sent, and how it is kept out of every text that we write.

const schemes = /^(?:bearer|flyv1)(?:\s+|$)/i

const partsOf = (token: string): readonly string[] =>
  token
    .trim()
    .replace(schemes, '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** Fly's macaroons begin so; user tokens do not (fly-go, tokens/tokens.go). */
const macaroon = /^fm\d[a-z]?_/

/**
 * The authorization header: scheme FlyV1 for macaroons, Bearer for every other token. The token may come with a scheme,
 * as flyctl prints it, and may be a comma list. Throws a TypeError that does not repeat the token.
 */
export function authorizationOf(token: string): string {
  const parts = partsOf(token)
  if (parts.length === 0) throw new TypeError('the Fly token is empty')
  if (!parts.every((part) => /^[\x21-\x7e]+$/.test(part)))
    throw new TypeError('the Fly token has characters that no token has, such as a space or a line break')
  return `${parts.some((part) => macaroon.test(part)) ? 'FlyV1' : 'Bearer'} ${parts.join(',')}`
}

/** What a stand-in's token may look like (`sim`): replacing that would only spoil sentences. */
const shortestSecret = 8

/** Takes the token, and whatever looks like a Fly token, out of a text: Fly may quote what it was sent. */
export function scrubber(token: string): (text: string) => string {
  const secrets = partsOf(token).filter((part) => part.length >= shortestSecret)
  return (text) =>
    secrets
      .reduce((rest, secret) => rest.replaceAll(secret, '[token]'), text)
      .replace(/\bf(?:m\d[a-z]?|o\d)_[\w+/=-]+/g, '[token]')
}
