/** Whether somebody wants the process to end. The commands listen for signals; what computes asks here, now and then. */
import { DotpeError } from "./errors.ts";

export class Interrupt {
  private wanted: string | undefined;
  private hasBegun = false;
  private refuse: (error: DotpeError) => void = () => {};
  /** Rejects if the process is to end before there is anything to save. */
  readonly early = new Promise<never>((_, reject) => {
    this.refuse = reject;
  });

  /** The signal that was received; undefined while the run may go on. */
  get signal(): string | undefined {
    return this.wanted;
  }

  /** From here on the work itself looks at `signal`. */
  begin(): void {
    this.hasBegun = true;
  }

  request(signal: string): void {
    this.wanted ??= signal;
    if (!this.hasBegun)
      this.refuse(
        new DotpeError("runAgain", `stopped by ${signal}; nothing was begun`, "Run the command again."),
      );
  }
}
