/** A file embedded `with { type: "file" }`: its path. */
declare module "*.so" {
  const path: string;
  export default path;
}
