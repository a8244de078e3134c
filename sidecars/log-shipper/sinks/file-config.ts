// pure
import { object, string } from "../../../kit/config/schema.ts";
import { absolutePath } from "../absolute-path.ts";
import { required } from "./common-config.ts";

export const fileSinkSpec = object({ name: string({ doc: "name in logs and metrics", default: "file" }), path: string({ doc: "file to append JSON lines to", check: absolutePath }), required }, { doc: "JSON lines in a file" });
