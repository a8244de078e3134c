/** The parts of the WebAssembly interface that we use; Node's types leave them to the browser's. */
declare namespace WebAssembly {
  class Memory {
    constructor(pages: { readonly initial: number; readonly maximum: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  const Module: new (bytes: Uint8Array) => object;
  class Instance {
    constructor(module: object, imports: Readonly<Record<string, object>>);
    readonly exports: object;
  }
  class Global {
    value: number;
  }
}
