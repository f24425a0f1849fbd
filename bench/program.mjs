// Shared by the benchmarks: numbers in options, and the built package.

/** Reads the number that an option takes. @throws Error that names the option */
export function whole(name, text, least = 1) {
  if (/^\d{1,7}$/.test(text) && Number(text) >= least) return Number(text);
  throw new Error(`--${name} takes a whole number from ${least} to 9999999.`);
}

/** Imports files of `dist/`. @throws Error if the package is not built */
export async function built(...paths) {
  try {
    return await Promise.all(paths.map((path) => import(`../dist/${path}.js`)));
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error("dist is not built. Run: npm run build");
  }
}
