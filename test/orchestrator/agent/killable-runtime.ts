import type { Runtime } from "../../../orchestrator/runtime/runtime.ts";

const mutating: ReadonlySet<string> = new Set(["createSandbox", "startSandbox", "createContainer", "startContainer", "stop", "remove", "ensureVolume", "removeVolume", "imageStatus", "execSync"]);

/**
 * A runtime whose user dies, as by SIGKILL, at its nth call that does something: before the call reaches the engine, or after it took effect.
 * From then on no call ever returns, so nothing of the old agent goes on.
 */
export function killable(runtime: Runtime, o: { readonly atCall: number; readonly when: "before" | "after"; readonly onKill: () => void; /** The verbs that count; all that do something when absent. */ readonly counted?: ReadonlySet<string> }): { readonly runtime: Runtime; readonly calls: () => number; readonly freeze: () => void } {
  let calls = 0;
  let dead = false;
  const never = new Promise<never>(() => undefined);
  const kill = (): void => {
    dead = true;
    o.onKill();
  };
  const wrapped = new Proxy(runtime, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property === "events" || property === "logs") return (...given: unknown[]): unknown => Reflect.apply(value, target, given);
      return async (...given: unknown[]): Promise<unknown> => {
        if (dead) return await never;
        const fatal = (o.counted ?? mutating).has(String(property)) && ++calls === o.atCall;
        if (fatal && o.when === "before") {
          kill();
          return await never;
        }
        try {
          const result: unknown = await Reflect.apply(value, target, given);
          if (!fatal) return dead ? await never : result;
        } finally {
          if (fatal) kill(); // also after a call that failed
        }
        return await never;
      };
    },
  });
  return { runtime: wrapped, calls: () => calls, freeze: () => { dead = true; } };
}
