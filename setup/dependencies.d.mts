/** `npm` is the path of npm's program, a script; `pauses` (ms) replace those between the tries. */
export function ensureDependencies(root: string, say: (line: string) => void, options?: { readonly npm?: string; readonly pauses?: readonly number[] }): Promise<string>;
