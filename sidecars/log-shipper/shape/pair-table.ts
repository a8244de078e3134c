// pure
/** Of each pair: what became of it, its name's number, where its key begins and ends and the pair ends in the entry, and where its value is now. */
export class PairTable {
  readonly size: number;
  readonly state: Uint8Array;
  readonly id: Int32Array;
  readonly keyFrom: Int32Array;
  readonly keyTo: Int32Array;
  readonly end: Int32Array;
  readonly valueFrom: Int32Array;
  readonly valueTo: Int32Array;

  constructor(size: number) {
    this.size = size;
    this.state = new Uint8Array(size);
    this.id = new Int32Array(size);
    this.keyFrom = new Int32Array(size);
    this.keyTo = new Int32Array(size);
    this.end = new Int32Array(size);
    this.valueFrom = new Int32Array(size);
    this.valueTo = new Int32Array(size);
  }

  grown(atLeast: number): PairTable {
    const larger = new PairTable(Math.max(atLeast, this.size * 2));
    larger.state.set(this.state);
    larger.id.set(this.id);
    larger.keyFrom.set(this.keyFrom);
    larger.keyTo.set(this.keyTo);
    larger.end.set(this.end);
    larger.valueFrom.set(this.valueFrom);
    larger.valueTo.set(this.valueTo);
    return larger;
  }
}
