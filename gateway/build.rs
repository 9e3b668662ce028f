//! Embeds the UI anew when it was built anew. Makes nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A debug build embeds nothing.
    if std::env::var_os("CARGO_CFG_DEBUG_ASSERTIONS").is_none() {
        let built = std::path::Path::new("../web/dist").exists();
        // Until there is one, the folder in which it appears is looked at.
        println!("cargo:rerun-if-changed={}", if built { "../web/dist" } else { "../web" });
    }
}
