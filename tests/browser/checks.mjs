let passed = 0;
let failed = 0;

// Runs one check and says how it went. A failure does not keep the next ones from running.
export async function check(name, body) {
  try {
    const remark = await body();
    passed += 1;
    console.log(`ok    ${name}${remark ? ` (${remark})` : ""}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n      ${String(error.stack ?? error).replaceAll("\n", "\n      ")}`);
  }
}

export function summary() {
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0;
}
