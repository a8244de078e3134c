/** Where the JSON parser stands after what it parsed last. */
export let position: usize = 0;
@inline
export function setPosition(to: usize): void {
  position = to;
}
