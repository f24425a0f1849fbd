/** Returns the URL of a file of this package. @param path its path from the package's folder */
export function packageFile(path: string): URL {
  // The module is in dist/cli, and its bundle in dist/bundle.
  return new URL(`../../${path}`, import.meta.url);
}
