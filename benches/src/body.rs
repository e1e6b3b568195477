//! What is stored: one JSON object of about a size, in the shapes that the contestants take.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use session_core::Data;

/// The same object in every shape, made before anything is measured.
#[derive(Debug, Clone)]
pub struct Body {
    /// The text.
    pub text: Arc<str>,
    /// Ours: the text, checked.
    pub data: Data,
    /// A map of JSON values, as tower-sessions wants it.
    pub values: HashMap<String, Value>,
    /// A map of JSON texts, as actix-session, axum_session and saysion want it.
    pub texts: HashMap<String, String>,
}

impl Body {
    /// Makes a session of about so many bytes of JSON: a user, a counter, a token, and a cart that takes the rest.
    pub fn of_size(bytes: usize) -> Self {
        let mut object = json!({
            "user": "ada@example.org",
            "views": 7,
            "token": "1c8f7b60d5e94c2ab3f0",
            "locale": "en-GB",
            "cart": [],
        });
        let mut number = 0;
        while object.to_string().len() + 66 <= bytes {
            number += 1;
            let item =
                json!({ "article": format!("A-{number:05}"), "name": "Darjeeling, 100 g", "price": 12.5, "count": 2 });
            if let Some(cart) = object["cart"].as_array_mut() {
                cart.push(item);
            }
        }
        let text: Arc<str> = object.to_string().into();
        let Value::Object(fields) = object else { unreachable!("it was written as an object above") };
        Self {
            data: Data::parse(Arc::clone(&text)).expect("it was written as an object above"),
            values: fields.clone().into_iter().collect(),
            texts: fields.into_iter().map(|(name, value)| (name, value.to_string())).collect(),
            text,
        }
    }

    /// Returns the same object in memory of its own.
    #[must_use]
    pub fn unshared(&self) -> Self {
        let text: Arc<str> = Arc::from(&*self.text);
        let data = Data::parse(Arc::clone(&text)).expect("it was data before");
        Self { text, data, values: self.values.clone(), texts: self.texts.clone() }
    }
}
