// Lets a script of the checkout import npm packages that live in the cache: what Node does not find beside the script, it
// looks up in $HUBBUB_NODE_MODULES (folders that hold a node_modules, separated like PATH). Loaded by `node --import`.
import { registerHooks } from "node:module";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

const roots = (process.env.HUBBUB_NODE_MODULES ?? "").split(delimiter).filter(Boolean);
const isPackage = (specifier) => !/^(?:[./]|[a-z]+:)/.test(specifier);

registerHooks({
  resolve(specifier, context, next) {
    try {
      return next(specifier, context);
    } catch (missing) {
      if (!isPackage(specifier)) throw missing;
      for (const root of roots) {
        try {
          return next(specifier, { ...context, parentURL: pathToFileURL(join(root, "package.json")).href });
        } catch {
          // The next folder may have it; the first error is the one to show.
        }
      }
      throw missing;
    }
  },
});
