import type { ApiProcess } from './api-process.js'
import { ask, type Data } from './graphql-client.js'
import { lockFaults } from './lock-faults.js'
import type { World } from './world.js'

/** Sends a request to a process; null when it failed, which is counted by cause. */
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
  // A process that was killed takes its requests with it. One whose connections all wait for a lock, or that was stalled, refuses some.
  if (answer.state === 'unreachable' && api.wasDown(from, world.now())) world.expectedFailures.add(cause)
  else if (cause.startsWith('OVERLOADED') && wasHeldUp(world, from)) world.expectedFailures.add(cause)
  else world.failures.add(cause)
  return null
}

function wasHeldUp({ faultWindows, now }: World, from: number): boolean {
  const [faults, stalls] = [faultWindows.faultsDuring(from, now()), faultWindows.stallsDuring(from, now())]
  return stalls.length > 0 || faults.some((name) => lockFaults.has(name))
}

/** One of the processes that a load balancer would send requests to, else any. */
export function pickApi(world: World, choose: (apis: readonly ApiProcess[]) => ApiProcess): ApiProcess {
  const up = world.apis.filter(({ isUp, isSuspended }) => isUp && !isSuspended)
  return choose(up.length > 0 ? up : world.apis)
}
