/** The database that all test databases are copies of */
export const templateName = 'shop_template'
