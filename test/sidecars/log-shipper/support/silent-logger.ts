/** For fluent-logger, which otherwise writes its own diagnostics to the console. */
export const silent = { info: (): void => undefined, error: (): void => undefined };
