// pure
import { boolean } from "../../../kit/config/schema.ts";

/** Settings that every kind of sink has. */
export const required = boolean({ doc: "whether a chunk counts as delivered only when this sink has it; an optional sink may miss some", default: true });
