/** Arithmetic of shape specs: numbers, names, + - * / %, comparisons, and a few functions (docs/formats/scene.md). */

export type Names = Record<string, number>;
type Compiled = (names: Names) => number;

const FUNCTIONS: Record<string, (...values: number[]) => number> = {
  if: (test, yes, no) => (test ? yes! : no!),
  min: Math.min,
  max: Math.max,
  round: (x) => Math.floor(x! + 0.5),
  floor: (x) => Math.floor(x!),
  abs: (x) => Math.abs(x!),
  sqrt: (x) => Math.sqrt(x!),
  sin: (x) => Math.sin(x!),
  cos: (x) => Math.cos(x!),
};
const TOKEN = /\s*(?:(\d+\.?\d*|\.\d+)|([A-Za-z_]\w*)|(==|<=|>=|[-+*/%()<>,]))/y;
const OPERATORS: Record<string, [number, (a: number, b: number) => number]> = {
  "==": [1, (a, b) => Number(a === b)],
  "<": [1, (a, b) => Number(a < b)],
  ">": [1, (a, b) => Number(a > b)],
  "<=": [1, (a, b) => Number(a <= b)],
  ">=": [1, (a, b) => Number(a >= b)],
  "+": [2, (a, b) => a + b],
  "-": [2, (a, b) => a - b],
  "*": [3, (a, b) => a * b],
  "/": [3, (a, b) => a / b],
  "%": [3, (a, b) => a % b],
};
const kept = new Map<string, Compiled>();

export function evaluate(expression: unknown, names: Names): number {
  if (typeof expression === "number") return expression;
  const text = String(expression);
  let compiled = kept.get(text);
  if (!compiled) {
    compiled = new Parser(text).whole();
    kept.set(text, compiled);
  }
  return compiled(names);
}

class Parser {
  #tokens: string[] = [];
  #at = 0;

  constructor(private readonly text: string) {
    TOKEN.lastIndex = 0;
    const end = text.trimEnd().length;
    while (TOKEN.lastIndex < end) {
      const found = TOKEN.exec(text);
      if (!found) throw new Error(`'${text}' is no expression`);
      this.#tokens.push(found[1] ?? found[2] ?? found[3]!);
    }
  }

  whole(): Compiled {
    const found = this.#binary(1);
    if (this.#at < this.#tokens.length) this.#fail();
    return found;
  }

  #binary(level: number): Compiled {
    let left = this.#unary();
    for (;;) {
      const operator = OPERATORS[this.#tokens[this.#at] ?? ""];
      if (!operator || operator[0] < level) return left;
      this.#at++;
      const [before, right] = [left, this.#binary(operator[0] + 1)];
      left = (names) => operator[1](before(names), right(names));
    }
  }

  #unary(): Compiled {
    const token = this.#tokens[this.#at++];
    if (token === undefined) this.#fail();
    if (token === "-") {
      const inner = this.#unary();
      return (names) => -inner(names);
    }
    if (token === "(") {
      const inner = this.#binary(1);
      this.#expect(")");
      return inner;
    }
    if (/^[\d.]/.test(token!)) {
      const value = Number(token);
      return () => value;
    }
    if (!/^[A-Za-z_]/.test(token!)) this.#fail();
    if (this.#tokens[this.#at] === "(") return this.#call(token!);
    if (token === "pi") return () => Math.PI;
    return (names) => {
      const value = names[token!];
      if (value === undefined) throw new Error(`'${this.text}': there is no '${token}'`);
      return value;
    };
  }

  #call(name: string): Compiled {
    const called = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name]! : this.#fail();
    const inner: Compiled[] = [];
    do {
      this.#at++;
      inner.push(this.#binary(1));
    } while (this.#tokens[this.#at] === ",");
    this.#expect(")");
    return (names) => called(...inner.map((one) => one(names)));
  }

  #expect(token: string): void {
    if (this.#tokens[this.#at++] !== token) this.#fail();
  }

  #fail(): never {
    throw new Error(`'${this.text}' is no expression`);
  }
}
