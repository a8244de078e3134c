// pure
import { object, string } from "../../../kit/config/schema.ts";
import { required } from "./common-config.ts";

export const stdoutSinkSpec = object({ name: string({ doc: "name in logs and metrics", default: "stdout" }), required }, { doc: "JSON lines on standard output" });
