export const tableLocked = 'table locked'
export const rowLocked = 'row locked while orders wait for it'

/** During these faults all database connections of a process may be waiting, so that its reads time out. */
export const lockFaults: ReadonlySet<string> = new Set([tableLocked, rowLocked])
