import type { FlagSpec } from "./arguments.ts";
import type { Command } from "./command.ts";
import type { VerbHelp } from "./help.ts";

/** One verb: what it takes and says about itself, and where its code is. Only the verb that runs is ever loaded. */
export type Verb = VerbHelp & { readonly load: () => Promise<Command> };

const cluster: FlagSpec = { name: "cluster", value: "NAME", doc: 'the cluster, each with a control plane and a folder of its own (default "default", or $PODKIT_CLUSTER)' };
const namespace: FlagSpec = { name: "namespace", short: "n", value: "NAMESPACE", doc: 'the namespace (default "default")' };
const allNamespaces: FlagSpec = { name: "all-namespaces", short: "A", doc: "in every namespace" };
const filename: FlagSpec = { name: "filename", short: "f", value: "FILE", repeat: true, doc: "a manifest, a folder of manifests, or - for standard input; may be repeated" };
const selector: FlagSpec = { name: "selector", short: "l", value: "SELECTOR", doc: "only objects whose labels match, such as app=web,tier!=cache" };
const timeout = (doc: string): FlagSpec => ({ name: "timeout", value: "DURATION", doc });
const container: FlagSpec = { name: "container", short: "c", value: "CONTAINER", doc: "the container (default: the Pod's first, or the one that the annotation kubectl.kubernetes.io/default-container names)" };
const outputs = ["json", "yaml", "wide", "name"];

export const verbs: readonly Verb[] = [
  {
    name: "up", group: "run", summary: "Run what the manifests say and wait until it is ready", usage: "podkit up -f FILE... [options]",
    positionals: { min: 0, max: 0, names: "no argument" },
    flags: [
      filename, namespace, cluster, timeout("how long all Pods together may take to become ready (default 5m)"),
      { name: "no-wait", doc: "return as soon as everything is applied" },
      { name: "keep", doc: "on failure leave what was created, to look at it" },
      { name: "follow", doc: "once ready, keep showing what the sidecars do until Ctrl-C; the Pods stay" },
      { name: "store", value: "KIND", choices: ["sqlite", "memory"], doc: "store of a control plane that this command has to start (default sqlite)" },
    ],
    description: [
      "Reads and checks every manifest before anything is started: when one is wrong, every fault is listed with its place and nothing runs.",
      "Starts a control plane in the background when none runs. Objects that are as the manifests want them are left alone; a Pod whose specification changed is replaced.",
      "Fails early, with the reason and the container's last lines, on what cannot heal by itself: an image that does not exist, a configuration that cannot be resolved, a container that keeps crashing. What this command created is then removed again, unless --keep is given.",
      "Ctrl-C while waiting asks whether to leave or to stop what was started; a second Ctrl-C stops it. Without a terminal, SIGINT and SIGTERM leave it running and say so (exit code 75).",
    ],
    examples: [
      ["podkit up -f pod.yaml", "one Pod with its sidecars"],
      ["podkit up -f manifests/demo -f extra.yaml --timeout 2m", "a folder and a file"],
      ["generate-manifest | podkit up -f -", "from standard input"],
    ],
    load: async () => (await import("./commands/up.ts")).up,
  },
  {
    name: "down", group: "run", summary: "Remove what the manifests say, and everything podkit made for it", usage: "podkit down (-f FILE... | --all) [options]",
    positionals: { min: 0, max: 0, names: "no argument" },
    flags: [filename, namespace, cluster, { name: "all", doc: "everything of this cluster, also without a control plane" }, timeout("how long the removal may take (default: the longest grace period of the Pods and a minute)")],
    description: [
      "Deletes the objects and waits until they are gone. When nothing of yours is left and the control plane was started by `podkit up`, it is ended too and its network, volumes and folder are removed.",
      "Works after a crash: a control plane that is gone is started again to finish properly; with --all containers, networks and volumes are found by their labels.",
    ],
    examples: [["podkit down -f pod.yaml", "remove one Pod"], ["podkit down --all", "remove everything of the cluster"]],
    load: async () => (await import("./commands/down.ts")).down,
  },
  {
    name: "get", group: "look", summary: "List objects", usage: "podkit get KIND [NAME...] [options]",
    positionals: { min: 1, max: 100, names: "a kind, such as pods, or kind/name" },
    flags: [
      namespace, allNamespaces, cluster, selector,
      { name: "output", short: "o", value: "FORMAT", choices: outputs, doc: "json, yaml, wide or name" },
      { name: "watch", short: "w", doc: "after listing, show every change until interrupted" },
      { name: "no-headers", doc: "leave the header line out" },
    ],
    description: ["Kinds by any of their names: pods, pod, po; services, svc; configmaps, cm; several with commas; `all` for Pods and Services, also among others: all,cm."],
    examples: [["podkit get pods", ""], ["podkit get pods,services -o wide", ""], ["podkit get pod/web -o yaml", ""], ["podkit get pods -A -w", ""]],
    load: async () => (await import("./commands/get.ts")).get,
  },
  {
    name: "describe", group: "look", summary: "Show an object in full, with its events", usage: "podkit describe KIND [NAME...] [options]",
    positionals: { min: 1, max: 100, names: "a kind and a name, or kind/name" }, flags: [namespace, cluster, selector], description: [],
    examples: [["podkit describe pod web", ""], ["podkit describe pod/web svc/web", ""]],
    load: async () => (await import("./commands/describe.ts")).describe,
  },
  {
    name: "logs", group: "look", summary: "Print what containers wrote", usage: "podkit logs POD [CONTAINER] [options]",
    positionals: { min: 0, max: 2, names: "a Pod and perhaps a container" },
    flags: [
      namespace, cluster, container, selector,
      { name: "follow", short: "f", doc: "keep printing as lines come" },
      { name: "previous", short: "p", doc: "of the container's last run before this one" },
      { name: "tail", value: "LINES", doc: "only the last lines (default all; 10 with --selector)" },
      { name: "since", value: "DURATION", doc: "only what is newer, such as 5m" },
      { name: "timestamps", doc: "with the time of each line" },
      { name: "all-containers", doc: "of every container of the Pod" },
      { name: "prefix", doc: "begin each line with [pod/POD/CONTAINER]" },
    ],
    description: [],
    examples: [["podkit logs web -f", ""], ["podkit logs web -c log-shipper --tail 20", ""], ["podkit logs web --all-containers --prefix -f", ""]],
    load: async () => (await import("./commands/logs.ts")).logs,
  },
  {
    name: "exec", group: "run", summary: "Run a command in a container", usage: "podkit exec POD [-c CONTAINER] [-i] [-t] -- COMMAND [ARGUMENT...]",
    positionals: { min: 1, max: 1, names: "one Pod" }, rest: true,
    flags: [namespace, cluster, container, { name: "stdin", short: "i", doc: "pass standard input on" }, { name: "tty", short: "t", doc: "with a terminal (needs one here)" }],
    description: ["Ends with the command's own exit code."],
    examples: [["podkit exec web -- cat /etc/hosts", ""], ["podkit exec -it web -c app -- sh", ""]],
    load: async () => (await import("./commands/exec.ts")).exec,
  },
  {
    name: "events", group: "look", summary: "Show what happened, oldest first", usage: "podkit events [--for KIND/NAME] [options]",
    positionals: { min: 0, max: 0, names: "no argument" },
    flags: [namespace, allNamespaces, cluster, { name: "for", value: "KIND/NAME", doc: "only about this object" }, { name: "watch", short: "w", doc: "then show what comes, until interrupted" }, { name: "types", value: "TYPE", choices: ["Normal", "Warning"], doc: "only Normal or only Warning" }],
    description: [], examples: [["podkit events --for pod/web", ""], ["podkit events -A -w --types Warning", ""]],
    load: async () => (await import("./commands/events.ts")).events,
  },
  {
    name: "activity", group: "look", summary: "Show what each sidecar did", usage: "podkit activity [POD...] [options]",
    positionals: { min: 0, max: 100, names: "Pods" },
    flags: [namespace, allNamespaces, cluster, { name: "follow", short: "f", doc: "keep showing it until interrupted" }],
    description: ["Reads the metrics of every container that declares a port whose name begins with `metrics`, at the Pod's address, and tells in words what the podkit_* counters among them say. The sidecar must listen there: PODKIT_ADMIN_ADDR=0.0.0.0:PORT."],
    examples: [["podkit activity", "once"], ["podkit activity web --follow", "live"]],
    load: async () => (await import("./commands/activity.ts")).activity,
  },
  {
    name: "serve", group: "control plane", summary: "Run a control plane in the foreground", usage: "podkit serve [options]",
    positionals: { min: 0, max: 0, names: "no argument" },
    flags: [
      cluster, { name: "store", value: "KIND", choices: ["sqlite", "memory"], doc: "where objects are kept (default sqlite, in the cluster's folder)" },
      { name: "listen", value: "HOST:PORT", doc: "serve the Kubernetes API on this address too, without authentication: use 127.0.0.1" },
      { name: "log-level", value: "LEVEL", choices: ["trace", "debug", "info", "warn", "error"], doc: "default info" },
      { name: "background", doc: "started by `podkit up`, which ends it again when nothing is left", hidden: true },
    ],
    description: ["Ends on SIGINT or SIGTERM; Pods keep running and are adopted by the next control plane of the same cluster name."],
    examples: [["podkit serve", ""], ["podkit serve --cluster ci --store memory", ""]],
    load: async () => (await import("./commands/serve.ts")).serve,
  },
  {
    name: "stop", group: "control plane", summary: "End the background control plane; Pods keep running", usage: "podkit stop [options]",
    positionals: { min: 0, max: 0, names: "no argument" }, flags: [cluster], description: ["The next `podkit up` or `podkit serve` finds the Pods again and adopts them."],
    examples: [["podkit stop", ""]], load: async () => (await import("./commands/stop.ts")).stop,
  },
  {
    name: "doctor", group: "other", summary: "Check that this machine has what podkit needs", usage: "podkit doctor [-f FILE...]",
    positionals: { min: 0, max: 0, names: "no argument" }, flags: [cluster, namespace, { ...filename, doc: "check the images and host ports that these manifests need as well" }],
    description: ["Ends with 69 when something needed is missing; warnings alone do not count."], examples: [["podkit doctor", ""]],
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "version", group: "other", summary: "Print versions", usage: "podkit version [--client]",
    positionals: { min: 0, max: 0, names: "no argument" }, flags: [cluster, { name: "client", doc: "only of the command itself" }], description: [], examples: [],
    load: async () => (await import("./commands/version.ts")).version,
  },
  {
    name: "help", group: "other", summary: "Explain a verb", usage: "podkit help [VERB]",
    positionals: { min: 0, max: 1, names: "at most one verb" }, flags: [], description: [], examples: [],
    load: async () => (await import("./commands/help.ts")).help,
  },
];
