import type { ApiProcess } from './api-process.js'
import { ask, type Data } from './graphql-client.js'
import { lockFaults } from './lock-faults.js'
import type { World } from './world.js'

/** Sends a request to a process. Counts a failure by its cause and returns null. */
export async function request(
  world: World,
  api: ApiProcess,
  document: string,
  variables?: Readonly<Record<string, unknown>>,
): Promise<Data | null> {
  const from = world.now()
  const answer = await ask(api, document, variables)
  world.requestsMs.push(world.now() - from)
  if (answer.state === 'answered') return answer.data
  const { cause } = answer
  // Expected: requests in progress when their process was killed; requests refused because all connections waited for a lock or
  // the process was stalled.
  if (answer.state === 'unreachable' && api.wasDown(from, world.now())) world.expectedFailures.add(cause)
  else if (cause.startsWith('OVERLOADED') && wasBlocked(world, from)) world.expectedFailures.add(cause)
  else world.failures.add(cause)
  return null
}

function wasBlocked({ faultWindows, now }: World, from: number): boolean {
  const [faults, stalls] = [faultWindows.faultsDuring(from, now()), faultWindows.stallsDuring(from, now())]
  return stalls.length > 0 || faults.some((name) => lockFaults.has(name))
}

/** Picks a process to which a load balancer would send requests; any process if there is none. */
export function pickApi(world: World, choose: (apis: readonly ApiProcess[]) => ApiProcess): ApiProcess {
  const up = world.apis.filter(({ isUp, isSuspended }) => isUp && !isSuspended)
  return choose(up.length > 0 ? up : world.apis)
}
