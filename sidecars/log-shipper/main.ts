import { runRole } from "../../kit/process.ts";
import { runAudit } from "./commands/audit.ts";
import { runCheck } from "./commands/check.ts";
import { spec } from "./config.ts";
import { runExplain } from "./commands/explain.ts";
import { runShipper } from "./run.ts";

runRole({ role: "log-shipper", spec, run: runShipper, commands: { audit: runAudit, check: runCheck, explain: runExplain } });
