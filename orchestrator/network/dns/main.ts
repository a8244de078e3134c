import { runRole } from "../../../kit/process.ts";
import { run } from "./run.ts";
import { dnsSpec } from "./spec.ts";

runRole({ role: "dns", spec: dnsSpec, run });
