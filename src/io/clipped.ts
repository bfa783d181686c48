/** Text of a file, as it can stand in a message: of limited length, without control characters. */

const MAX_LENGTH = 200;

export function clipped(text: string): string {
  const short = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}...` : text;
  return short.replace(/\p{C}/gu, "?");
}
