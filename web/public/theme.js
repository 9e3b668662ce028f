(function () {
    try {
        if (localStorage.getItem("eventflow.theme") === "light") {
            document.documentElement.dataset.theme = "light";
        }
    } catch {
        // Storage is switched off: dark it is.
    }
})();
