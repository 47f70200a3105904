// A worker thread doesn't inherit the loader that its parent runs TypeScript with.
import { register } from 'tsx/esm/api'

register()
await import('./seed-thread.ts')
