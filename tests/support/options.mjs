// What the command lines of the fakes have in common.

/// Reads numbers of the options that were given: (name, what it is without the option) => number.
export function numbersOf(program, values) {
  return (name, standard) => {
    if (values[name] === undefined) return standard;
    const value = Number(values[name]);
    if (!Number.isFinite(value) || value < 0) {
      process.stderr.write(`${program}: --${name} wants a number, not ${values[name]}\n`);
      process.exit(2);
    }
    return value;
  };
}
