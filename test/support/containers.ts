import { getContainerRuntimeClient } from 'testcontainers'

/** Whether containers can be run here: by Docker, Podman or what DOCKER_HOST names. TEST_CONTAINERS=off says no without looking. */
export async function hasContainerEngine(): Promise<boolean> {
  if (process.env['TEST_CONTAINERS'] === 'off') return false
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  )
}
