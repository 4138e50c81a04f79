/** Why something that the person asked for did not work; told apart by what can be done about it. */
export type FailureReason =
  | "no_secure_context" // the browser gives a camera only to https and localhost
  | "no_camera"
  | "camera_refused"
  | "camera_taken"
  | "no_codec"
  | "storage_full" // of this device
  | "no_runtime" // neither WebGPU nor WebAssembly runs the generator
  | "not_joined" // nobody has joined from here, or it has expired
  | "not_allowed"
  | "not_found"
  | "wrong_state"
  | "replaced" // another device films the acquisition now
  | "busy"
  | "unusable" // a file that is not what the server takes
  | "refused" // any other answer that trying again will not change
  | "unreachable";

/** Its message may be shown as it is: it says what to do. */
export class PageError extends Error {
  constructor(
    readonly reason: FailureReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "PageError";
  }

  /** Whether the same attempt, a little later, may succeed. */
  get isPassing(): boolean {
    return this.reason === "busy" || this.reason === "unreachable";
  }
}

/** What is shown for whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For the end of a switch over a union: a case that was forgotten does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
