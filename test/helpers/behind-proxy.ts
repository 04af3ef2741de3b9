import { startTestApp } from './app.js'
import { createDatabase } from './database.js'
import { startProxy } from './proxy.js'

/** Starts an app whose database connections go through a proxy, which can cut and freeze them. */
export async function startBehindProxy(env: Record<string, string>) {
  const database = await createDatabase()
  const address = new URL(database.url)
  const proxy = await startProxy(Number(address.port))
  address.port = String(proxy.port)
  const app = await startTestApp({ database: { ...database, url: address.href }, env })
  const stop = async () => {
    await app.stop()
    await proxy.stop()
    await database.drop()
  }
  return { app, proxy, stop }
}
