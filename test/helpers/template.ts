/** The template of all test databases */
export const templateName = 'shop_template'
