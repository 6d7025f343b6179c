// The ways to serve a drive, by the names that --driver takes.

export const DRIVERS = ['fuse-linux', 'fuse-native'] as const
export type Driver = (typeof DRIVERS)[number]
export const DEFAULT_DRIVER: Driver = 'fuse-linux'
