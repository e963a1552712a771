// The regions that Fly's documentation names, with rough coordinates.

/** One region; `deprecated` ones do not appear here. */
export interface Region {
  readonly code: string
  readonly name: string
  readonly latitude: number
  readonly longitude: number
  readonly geo: string
}

const rows: readonly (readonly [string, string, number, number, string])[] = [
  ['ams', 'Amsterdam, Netherlands', 52.4, 4.9, 'europe'],
  ['arn', 'Stockholm, Sweden', 59.7, 17.9, 'europe'],
  ['bom', 'Mumbai, India', 19.1, 72.9, 'asia_pacific'],
  ['cdg', 'Paris, France', 48.9, 2.4, 'europe'],
  ['dfw', 'Dallas, Texas (US)', 32.8, -97, 'north_america'],
  ['ewr', 'Secaucus, NJ (US)', 40.8, -74.1, 'north_america'],
  ['fra', 'Frankfurt, Germany', 50, 8.6, 'europe'],
  ['gru', 'Sao Paulo, Brazil', -23.5, -46.6, 'south_america'],
  ['iad', 'Ashburn, Virginia (US)', 39, -77.5, 'north_america'],
  ['jnb', 'Johannesburg, South Africa', -26.1, 28.2, 'africa'],
  ['lax', 'Los Angeles, California (US)', 33.9, -118.4, 'north_america'],
  ['lhr', 'London, United Kingdom', 51.5, -0.5, 'europe'],
  ['nrt', 'Tokyo, Japan', 35.8, 140.4, 'asia_pacific'],
  ['ord', 'Chicago, Illinois (US)', 42, -87.9, 'north_america'],
  ['sin', 'Singapore, Singapore', 1.4, 104, 'asia_pacific'],
  ['sjc', 'San Jose, California (US)', 37.4, -121.9, 'north_america'],
  ['syd', 'Sydney, Australia', -33.9, 151.2, 'asia_pacific'],
  ['yyz', 'Toronto, Canada', 43.7, -79.6, 'north_america'],
]

/** Every region of the simulator. */
export const regions: readonly Region[] = rows.map(([code, name, latitude, longitude, geo]) => ({
  code,
  name,
  latitude,
  longitude,
  geo,
}))

/** Where a request without a region ends up. */
export const nearest = 'iad'

/** Is this the code of a region? */
export const isRegion = (code: string): boolean => regions.some((region) => region.code === code)
