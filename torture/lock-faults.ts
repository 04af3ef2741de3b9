export const tableLocked = 'table locked'
export const rowLocked = 'row locked while orders wait for it'

/** While these last, all connections of a process may be waiting, and its reads give up. */
export const lockFaults: ReadonlySet<string> = new Set([tableLocked, rowLocked])
