import { runRole } from "../../kit/process.ts";
import { runCheck } from "./check.ts";
import { spec } from "./config.ts";
import { runShipper } from "./run.ts";

runRole({ role: "log-shipper", spec, run: runShipper, commands: { check: runCheck } });
