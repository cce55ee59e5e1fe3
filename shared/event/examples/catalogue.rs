//! Writes `src/catalogue/builtin.json`, the compiled-in form of `builtin.toml`. Run it after every change of the description.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let description: serde_json::Value = toml::from_str(&std::fs::read_to_string(folder.join("builtin.toml"))?)?;
    std::fs::write(folder.join("src/catalogue/builtin.json"), description.to_string())?;
    Ok(())
}
