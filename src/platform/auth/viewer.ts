/** Who asks. */
export type Viewer = { role: 'anonymous' } | { role: 'customer'; userId: string } | { role: 'admin' }

/** Shared by all requests, so that none pays for them */
export const anonymous: Viewer = Object.freeze({ role: 'anonymous' })
export const administrator: Viewer = Object.freeze({ role: 'admin' })
