/** How the clients of package registries say that they could not get there; of a package that is not there they say something else. */
const UNREACHABLE = new RegExp(
  [
    'could not resolve host|name resolution|no such host|unknown host|name or service not known|nodename nor servname',
    'connection refused|connection reset|failed to connect|could not connect|network is unreachable|no route to host',
    'timed out|timeout was reached|i/o timeout|spurious network error|max retries exceeded|cannot connect to proxy|proxyconnect',
  ].join('|'),
  'i',
)

/** @param output what a program that takes packages from a registry wrote before it failed */
export function saysUnreachable(output: string): boolean {
  return UNREACHABLE.test(output)
}
