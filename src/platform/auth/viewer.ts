/** The identity that a request is executed for */
export type Viewer = { role: 'anonymous' } | { role: 'customer'; userId: string } | { role: 'admin' }

/** The following two viewers are shared by all requests, to avoid an allocation in each request. */
export const anonymous: Viewer = Object.freeze({ role: 'anonymous' })
export const administrator: Viewer = Object.freeze({ role: 'admin' })
