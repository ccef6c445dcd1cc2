const VALUED = new Set(['--datamodels', '--datasource', '--enabled-preview-features', '--extension-types'])

/** Reads the native engine's command line: `[--datamodels FILE]… [--datasource JSON] [cli COMMAND]`. */
export function parseArguments(argv) {
  const options = { datamodels: [], url: undefined, shadowUrl: undefined, command: undefined, version: argv.includes('--version') }
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]
    const value = VALUED.has(argument) || argument === 'cli' ? argv[++index] : undefined
    if (argument === '--datamodels') options.datamodels.push(value)
    if (argument === 'cli') options.command = value
    if (argument === '--datasource') {
      const datasource = JSON.parse(value)
      options.url = datasource.url
      options.shadowUrl = datasource.shadowDatabaseUrl
    }
  }
  return options
}
