/** A file embedded `with { type: "file" }`: its path. */
declare module "*.npz" {
  const path: string;
  export default path;
}
