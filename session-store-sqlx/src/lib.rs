//! A session store in SQL databases through sqlx
